// Tells of each case as one line of JSON, for pytest to read.

export default async function* reporter(events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details.type === "suite") continue;
    const error = data.details.error;
    const told = error && (error.cause?.stack ?? error.cause ?? error.stack ?? error.message);
    yield JSON.stringify({ name: data.name, passed: type === "test:pass", skipped: !!(data.skip || data.todo), error: told && String(told) }) + "\n";
  }
}

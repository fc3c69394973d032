"""A script under uvloop: calls run in parallel, and their results are awaited."""

from __future__ import annotations

import sys

import uvloop

from defer.welcome import welcome
from defer_cli import await_result, get_execution, get_execution_result


async def main() -> None:
    calls = [await_result(welcome)(name) for name in sys.argv[1:]]
    for call in calls:
        print(await call)
        print((await get_execution(call.id)).state, await get_execution_result(call.id))
    welcome("the last one")  # sent at the end


if __name__ == "__main__":
    uvloop.run(main())

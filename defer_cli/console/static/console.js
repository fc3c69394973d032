// What pages do beyond showing: begin each part. All of it is an extra: without scripts, links and forms do the same.
import { bindCopies } from "./copying.js";
import { bindKeys } from "./keys.js";
import { follow } from "./live.js";
import { bindSelection } from "./selection.js";
import { tellTimes } from "./times.js";

tellTimes(document);
setInterval(() => tellTimes(document), 500);
bindCopies();
bindKeys();
bindSelection();
follow();

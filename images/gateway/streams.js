// Websockets and event streams that are open now: they do not end by themselves, so a drain does not wait for them.
//
// A count for each worker's process id, in shared memory that outlives a reload. What a killed worker has left still counts:
// nginx's own number of connections, from which it is taken off, keeps them as well. Begun when the answer's header goes
// out, over when nginx would write the log's line.
import fs from "fs";

/** js_header_filter of everything that is passed on. */
function begun(r) {
  const type = r.headersOut["Content-Type"];
  if (r.status !== 101 && !(type && type.toLowerCase().startsWith("text/event-stream"))) return;
  if (r.variables.stream === "1") return;
  r.variables.stream = "1";
  ngx.shared.streams.incr(`${process.pid}`, 1, 0);
}

/** js_set variable that is read when a request is over: 1 for a stream. */
function over(r) {
  if (r.variables.stream !== "1") return "0";
  ngx.shared.streams.incr(`${process.pid}`, -1, 0);
  return "1";
}

/** How many are open, over all workers. */
function open() {
  const streams = ngx.shared.streams;
  let sum = 0;
  streams.keys().forEach((pid) => {
    const own = streams.get(pid);
    sum += own;
    if (own === 0 && !isThere(pid)) streams.delete(pid);
  });
  return sum;
}

function isThere(pid) {
  try {
    fs.accessSync(`/proc/${pid}`);
    return true;
  } catch (e) {
    return false;
  }
}

/** js_content: the number, as text. */
function count(r) {
  r.return(200, `${open()}`);
}

export default { begun, over, open, count };

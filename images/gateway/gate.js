// The gate of the door: whether a request passes, waits or is turned away.
//
// One JSON document in shared memory is the state for all workers; the same document lies on disk, so that a killed
// door comes back as it was. Without one the gate is closed. Deadlines are kept on the machine's uptime: a clock that
// jumps neither lengthens nor ends a hold.
import fs from "fs";
import streams from "streams.js";

const FILE = "/var/lib/gate/state.json";
// As in door.conf; each has its own seats, since those of a worker that was killed are void.
const WORKERS = 2;
const MODES = { closed: 1, hold: 2, open: 3 };
const CLOSED = {
  mode: "closed",
  then: "closed",
  owner: "",
  until: 0,
  lease: 0,
  hold: 30000,
  held: 10000,
  rate: 2000,
  epoch: 0,
};

const CHANGES = {
  // A newer run takes over from an older one; whatever that one still sends is refused by its name.
  hold: (s, w) => {
    if (!w.owner || !(w.lease > 0)) return refuse("GATE_FAILED", "a hold needs owner and lease");
    const bounds = { hold: w.hold, held: w.held, rate: w.rate || CLOSED.rate };
    return Object.assign({}, s, bounds, {
      mode: "hold",
      then: w.then,
      owner: w.owner,
      lease: w.lease,
      until: uptime() + w.lease,
    });
  },
  renew: (s, w) => leased(s, w) || Object.assign({}, s, { until: uptime() + s.lease }),
  expireInto: (s, w) => leased(s, w) || Object.assign({}, s, { then: w.then, until: uptime() + s.lease }),
  // With an owner: only by the run that held last, also after its lease expired. Without: by a person or a first start.
  open: (s, w) => owned(s, w) || Object.assign({}, s, { mode: "open", owner: "" }),
  close: (s, w) => owned(s, w) || Object.assign({}, s, { mode: "closed", owner: "" }),
};

/** auth_request handler of the public listeners: 204 passes, 403 becomes the maintenance answer. */
async function pass(r) {
  const since = Date.now();
  const answer = await admitted();
  // For the router's log, in milliseconds. What passed at once was not held, however long a busy machine took over it.
  if (answer.waited) r.headersOut["X-Held"] = `${Math.max(1, Date.now() - since)}`;
  r.return(answer.passes ? 204 : 403);
}

/** auth_request handler of the waiting listener: as `pass`, but also waits until the router of this service answers. */
async function passWhenRouted(r) {
  const service = r.variables.door_service;
  const answer = await admitted(routerLook(r, service));
  r.return(answer.passes ? 204 : 403);
}

/** The admin socket: GET tells the status, POST changes the state; always an answer of { ok, code?, found?, status }. */
async function admin(r) {
  let answer;
  try {
    answer = r.method === "POST" ? await locked(() => change(JSON.parse(r.requestText))) : { ok: true };
  } catch (e) {
    answer = { ok: false, code: "GATE_FAILED", found: `${e.message || e}` };
  }
  answer.status = status(r);
  r.headersOut["Content-Type"] = "application/json";
  r.return(200, JSON.stringify(answer));
}

/** Makes an expired lease's end lasting, also on disk and without any request. */
async function tick() {
  if (!expired(load())) return;
  await locked(() => {
    const s = load();
    if (!expired(s)) return;
    const next = Object.assign({}, s, { mode: s.then, epoch: s.epoch + 1 });
    publish(next);
    ngx.log(ngx.WARN, `gate: the lease of ${s.owner} expired, now ${next.mode}`);
    store(next);
  });
}

// ---- state

function load() {
  const text = ngx.shared.gate.get("state");
  if (text !== undefined) return JSON.parse(text);
  const s = fromDisk();
  for (let id = 0; id < WORKERS; id++)
    ["held", "wait"].forEach((kind) => ngx.shared.count.add(`${kind}${id}`, 0));
  if (ngx.shared.gate.add("state", JSON.stringify(s))) ngx.shared.count.set("mode", MODES[s.mode]);
  return JSON.parse(ngx.shared.gate.get("state"));
}

function fromDisk() {
  let s;
  try {
    s = JSON.parse(fs.readFileSync(FILE, "utf8"));
  } catch (e) {
    if (e.code !== "ENOENT") ngx.log(ngx.ERR, `gate: ${FILE} cannot be read, closed: ${e.message}`);
    return CLOSED;
  }
  if (MODES[s.mode] === undefined) return CLOSED;
  const left = Math.min(Math.max(s.untilClock - Date.now(), 0), s.lease);
  return Object.assign({}, CLOSED, s, { until: uptime() + left });
}

/** Written beside and renamed: a kill leaves the old state or the new one. */
function store(s) {
  const onDisk = Object.assign({}, s, { untilClock: clockOf(s) });
  fs.writeFileSync(`${FILE}.new`, JSON.stringify(onDisk));
  fs.renameSync(`${FILE}.new`, FILE);
}

/** In force for new requests with the first line, for those that wait with the second. */
function publish(s) {
  ngx.shared.gate.set("state", JSON.stringify(s));
  ngx.shared.count.set("mode", MODES[s.mode]);
}

function expired(s) {
  return s.mode === "hold" && uptime() >= s.until;
}

function current() {
  const s = load();
  if (expired(s)) s.mode = s.then;
  return s;
}

function clockOf(s) {
  return s.mode === "hold" ? Math.round(Date.now() + s.until - uptime()) : 0;
}

/** Milliseconds since the machine started; never set back. */
function uptime() {
  return parseFloat(fs.readFileSync("/proc/uptime", "utf8")) * 1000;
}

/** Changes come one at a time over all workers; `work` must not await. */
async function locked(work) {
  while (!ngx.shared.lease.add("lock", 1, 2000)) await sleep(1 + Math.random() * 3);
  try {
    return work();
  } finally {
    ngx.shared.lease.delete("lock");
  }
}

// ---- changes

function change(wish) {
  const s = current();
  const next = CHANGES[wish.do]
    ? CHANGES[wish.do](s, wish)
    : refuse("GATE_FAILED", `unknown change ${wish.do}`);
  if (next.ok === false) return next;
  next.epoch = s.epoch + 1;
  store(next);
  publish(next);
  return { ok: true };
}

function leased(s, w) {
  if (s.mode === "hold" && s.owner === w.owner) return undefined;
  return refuse(
    "LEASE_LOST",
    s.owner === w.owner
      ? `the lease expired, the gate is ${s.mode}`
      : `the gate is ${s.mode} and held by another run or none`,
  );
}

function owned(s, w) {
  if (w.owner === undefined || s.owner === w.owner) return undefined;
  return refuse("LEASE_LOST", `the gate is ${s.mode} and belongs to another run or none`);
}

function refuse(code, found) {
  return { ok: false, code, found };
}

function status(r) {
  // Held first: a request that arrives between the two readings then counts as in flight, not as finished.
  const held = seats("held");
  const waiting = seats("wait");
  const writing = Number(r.variables.connections_writing);
  const s = current();
  return {
    mode: s.mode,
    then: s.then,
    owner: s.owner,
    until: clockOf(s),
    hold: s.hold,
    heldMax: s.held,
    epoch: s.epoch,
    held: held + waiting,
    // Without this one; one that waits for the router is counted at the public and at the waiting listener.
    inFlight: Math.max(0, writing - 1 - held - 2 * waiting - streams.open()),
  };
}

// ---- waiting

async function admitted(ready) {
  const first = current();
  if (first.mode === "open" && ready === undefined) return { passes: true, waited: false };
  if (first.mode === "closed" || seats("held") + seats("wait") >= first.held)
    return { passes: false, waited: false };
  const seat = take(ready === undefined ? "held" : "wait");
  try {
    return { passes: await new Promise((done) => linger(first, ready, done)), waited: true };
  } finally {
    ngx.shared.count.incr(seat, -1, 0);
  }
}

/**
 * Looks at the gate again and again, and says whether the request may pass. njs frees nothing before a request ends,
 * `ngx.shared` alone costs half a kilobyte each time: hence no such thing in here, and few looks. All that wait look about
 * 1600 times a second together, one of 1000 every 0.6 s; that spread is the first jitter of a release.
 */
function linger(bounds, ready, done) {
  const count = ngx.shared.count;
  const hold = bounds.hold;
  const rate = bounds.rate;
  const open = MODES.open;
  const closed = MODES.closed;
  let waited = 0;
  let nap = Math.round(Math.random() * 20) + 1;
  let called = false;
  const look = () => {
    waited += nap;
    const mode = count.get("mode");
    if (mode === open && called) return done(true);
    called = mode === open && (ready === undefined || ready());
    if (called) {
      nap = turn(rate);
    } else {
      if (mode === closed || waited >= hold) return done(false);
      const many = count.get("held0") + count.get("held1") + count.get("wait0") + count.get("wait1");
      const pause = Math.max(10, Math.min(waited / 20, 100), Math.min(many / 1.6, 3000));
      nap = Math.ceil(Math.min((0.5 + Math.random()) * pause, hold - waited));
    }
    setTimeout(look, nap);
  };
  setTimeout(look, nap);
}

/** Milliseconds until this request's turn: `rate` requests a second leave the queue, so that a small pool is not overrun. */
function turn(rate) {
  const count = ngx.shared.count;
  const now = uptime();
  const due = (count.get("base") || 0) + (count.incr("slot", 1, 0) * 1000) / rate;
  if (due > now) return Math.ceil(due - now + Math.random() * 10);
  count.set("base", now);
  count.set("slot", 0);
  return Math.ceil(Math.random() * 10);
}

/** Takes a seat of this worker; the seats of a worker that was killed are void. */
function take(kind) {
  const count = ngx.shared.count;
  const id = ngx.worker_id;
  if (count.get(`pid${id}`) !== process.pid) {
    count.set(`pid${id}`, process.pid);
    count.set(`held${id}`, 0);
    count.set(`wait${id}`, 0);
  }
  count.incr(`${kind}${id}`, 1, 0);
  return `${kind}${id}`;
}

function seats(kind) {
  let sum = 0;
  for (let id = 0; id < WORKERS; id++) sum += ngx.shared.count.get(`${kind}${id}`);
  return sum;
}

/** A look whether the router serves this service; one request asks for all that wait. */
function routerLook(r, service) {
  const lease = ngx.shared.lease;
  const up = `up:${service}`;
  const ask = `ask:${service}`;
  return () => {
    if (lease.get(up)) return true;
    if (lease.add(ask, 1, 100)) {
      r.subrequest("/.rollback/router").then((reply) => {
        if (reply.status === 204) lease.set(up, 1, 100);
      });
    }
    return false;
  };
}

function sleep(ms) {
  return new Promise((done) => setTimeout(done, Math.max(1, Math.round(ms))));
}

export default { pass, passWhenRouted, admin, tick };

// Preloaded into a program, its wall clock jumps an hour ahead and an hour back, again and again.
const { now } = Date;
const offset = () => [0, 3_600_000, -3_600_000][Math.floor(performance.now() / 700) % 3];
globalThis.Date = class extends Date {
  constructor(...given) {
    if (given.length === 0) super(now() + offset());
    else super(...given);
  }
  static now() {
    return now() + offset();
  }
};

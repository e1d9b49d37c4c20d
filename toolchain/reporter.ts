import { writeFileSync } from "node:fs";
import Mocha from "mocha";
import { z } from "zod";

const options = z.object({ reporterOptions: z.object({ file: z.string() }) });

/** Mocha's own `spec` output, and its counts as JSON in the file named by the reporter option `file`. */
export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, given?: Mocha.MochaOptions) {
    super(runner, given);
    const { file } = options.parse(given).reporterOptions;
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      // Synchronously: the process may leave as soon as this returns.
      writeFileSync(file, JSON.stringify({ passed: this.stats.passes, failed: this.stats.failures }));
    });
  }
}

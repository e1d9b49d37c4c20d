/**
 * One JSON object per line on stdout: level, message and whatever else is known.
 * @param {Record<string, unknown>} always fields of every line, such as service and release
 */
export function createLog(always) {
  const write =
    (level) =>
    (message, fields = {}) =>
      process.stdout.write(
        `${JSON.stringify({ time: new Date().toISOString(), level, ...always, message, ...fields })}\n`,
      );
  return { info: write("info"), warn: write("warn"), error: write("error") };
}

/** Runs `work` with stderr kept back, and returns what was written to it. */
export async function quietly<T>(work: () => Promise<T>): Promise<{ result: T; said: string }> {
  const { stderr } = process;
  const write = stderr.write.bind(stderr);
  let said = "";
  stderr.write = (text: string | Uint8Array): boolean => {
    said += typeof text === "string" ? text : Buffer.from(text).toString();
    return true;
  };
  try {
    return { result: await work(), said };
  } finally {
    stderr.write = write;
  }
}

/** Words of SQL that may be names, lower case; those in quotes as they are within. What is in strings and comments is among them. */
export function wordsIn(sql: string): Set<string> {
  const words = sql.match(/"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*/gu) ?? [];
  return new Set(
    words.map((word) =>
      (word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word).toLowerCase(),
    ),
  );
}

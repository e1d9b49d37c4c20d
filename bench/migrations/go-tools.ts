import path from "node:path";
import { cacheFolder, contentOf, fingerprint, madeOnce } from "../../toolchain/cache.ts";
import { goBuild } from "../../toolchain/go.ts";

const folder = path.join(import.meta.dirname, "go");

/** Builds golang-migrate and dbmate from pinned modules into the cache. Throws `GO_MISSING`, `BUILD_FAILED`. */
export async function goTools(): Promise<{ migrate: string; dbmate: string }> {
  const made = await madeOnce(
    path.join(cacheFolder(), "bench", fingerprint(await contentOf(folder))),
    async (temporary) => {
      const common = { folder, version: "main.Version=bench" };
      const migrate = "github.com/golang-migrate/migrate/v4/cmd/migrate";
      await goBuild(
        "bench",
        { ...common, title: "building golang-migrate", target: migrate, tags: "postgres" },
        path.join(temporary, "migrate"),
      );
      await goBuild(
        "bench",
        { ...common, title: "building dbmate", target: "github.com/amacneil/dbmate/v2" },
        path.join(temporary, "dbmate"),
      );
    },
  );
  return { migrate: path.join(made, "migrate"), dbmate: path.join(made, "dbmate") };
}

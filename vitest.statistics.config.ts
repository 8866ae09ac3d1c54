import { defineConfig } from "vitest/config";

/** Long seeded trials: `npm run test:statistics`. */
export default defineConfig({
  test: { include: ["test/statistics/**/*.test.ts"], testTimeout: 600_000, maxWorkers: "100%" },
});

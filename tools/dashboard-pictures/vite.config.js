import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic" },
  define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
  // one bundle, no map: it is made for one screenshot
  build: { outDir: "node_modules/.page", emptyOutDir: true, target: "chrome120", minify: false, sourcemap: false, chunkSizeWarningLimit: 20000 },
});

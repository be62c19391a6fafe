import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv } from "vite";

// In development Vite serves the page, and app.py what begins with /api.
export default defineConfig(({ mode }) => {
  const { PORT = "8702" } = loadEnv(mode, ".", "PORT");
  return {
    plugins: [react()],
    build: { chunkSizeWarningLimit: 700 }, // the official clients are that large
    server: { host: "127.0.0.1", proxy: { "/api": `http://127.0.0.1:${PORT}` } },
  };
});

import { defineConfig } from 'vite';

export default defineConfig({
  base: './', // the page may lie in any folder of its host
  build: {
    outDir: '../.build/web',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // the Content-Security-Policy allows scripts and styles from files only
    modulePreload: { polyfill: false },
  },
});

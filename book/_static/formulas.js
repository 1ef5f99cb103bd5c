/* Formulas, when all else of the page is there: only then MathJax is asked for. It starts, and sets one formula after
   the other, with pauses in which the page answers its reader. */
(() => {
  const here = document.currentScript.src;
  const pause = () => new Promise((go) => setTimeout(go));

  async function ready() {
    await pause();
    MathJax.startup.defaultReady();
  }

  async function pageReady() {
    for (const formula of document.querySelectorAll(".math")) {
      await pause();
      await MathJax.typesetPromise([formula]);
    }
  }

  window.MathJax = { ...window.MathJax, startup: { ready, pageReady } };
  addEventListener("load", () => {
    const script = document.createElement("script");
    script.src = new URL("mathjax/tex-chtml.js", here);
    document.head.append(script);
  });
})();

/** Style of the documentation page: the reader's own fonts, a measure that reads well, light and dark. */
export const docsStyle = `
:root { color-scheme: light dark; --ink: light-dark(#1d2430, #dde3ec); --quiet: light-dark(#5b6675, #98a3b3);
  --paper: light-dark(#fff, #14181f); --tint: light-dark(#f3f5f8, #1d232d); --line: light-dark(#dfe4ea, #303845);
  --accent: light-dark(#0b5cad, #7db7f5); }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; display: grid; grid-template-columns: minmax(13rem, 17rem) minmax(0, 58rem); gap: 3rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.6 system-ui, sans-serif; }
nav { position: sticky; top: 0; align-self: start; height: 100vh; overflow: auto; padding: 2rem 1rem 2rem 2rem; font-size: .9rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li { margin: .4rem 0; overflow-wrap: anywhere; }
main { padding: 2rem 1.5rem 6rem 0; }
h1 { font-size: 2rem; line-height: 1.2; }
h2 { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: 1.35rem; overflow-wrap: anywhere; }
h3 { margin: 1.8rem 0 .5rem; font-size: 1.05rem; }
p { max-width: 44rem; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: .15em; }
small, em { color: var(--quiet); font-size: .85rem; font-style: normal; font-weight: normal; }
code { font: .88em/1.5 ui-monospace, monospace; }
p code, td code { padding: .1em .3em; border-radius: .25em; background: var(--tint); overflow-wrap: anywhere; }
pre { max-height: 30rem; margin: .5rem 0; padding: 1rem; overflow: auto; border: 1px solid var(--line); border-radius: .4rem; background: var(--tint); }
summary { cursor: pointer; color: var(--accent); font-size: .9rem; }
.table { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; }
th, td { padding: .45rem .8rem .45rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--quiet); font-weight: 600; }
.method { color: var(--accent); }
.status { display: inline-block; min-width: 3.5rem; }
section:target > h3, section:target > h2 { color: var(--accent); }
@media (max-width: 50rem) {
  body { display: block; }
  nav { position: static; height: auto; padding: 1.5rem 1.5rem 0; }
  main { padding: 1rem 1.5rem 4rem; }
}
`;

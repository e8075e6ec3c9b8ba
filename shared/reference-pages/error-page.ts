import { errorCatalogue } from '../errors/catalogue.ts';

/** docs/errors.md: every failure that a user can see, with its actor and its remedy. */
export function renderErrorPage(): string {
  const sections = Object.entries(errorCatalogue).map(
    ([code, { title, actor, remedy }]) => `## ${code}\n\n${title}.\n\nWho acts: ${actor}. ${remedy}\n`,
  );
  return `# Errors\n\nGenerated from shared/errors/catalogue.ts: npm run generate.\n\n${sections.join('\n')}`;
}

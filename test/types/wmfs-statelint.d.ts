declare module '@wmfs/statelint' {
  /** Problems as sentences; none for a valid definition. */
  export default function stateLint(): { validate(definition: unknown): string[] };
}

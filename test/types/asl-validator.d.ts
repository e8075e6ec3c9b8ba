declare module 'asl-validator' {
  /** Changes the definition it is given: pass a copy. */
  export default function validate(definition: unknown): {
    isValid: boolean;
    errors: unknown[];
    errorsText: (separator?: string) => string;
  };
}

/** stub */
import type { ValidationResult } from "./validate.ts";
export function validationMarkdown(_r: ValidationResult): string { return ""; }

/** stub */
import type { ValidationResult } from "../../experiment/validate/validate.ts";
export function validationPage(_r: ValidationResult, _s: readonly string[], _v: string): string { return ""; }

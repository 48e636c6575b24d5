import parseExpression from 'spdx-expression-parse';

/** Whether the text is an expression of the SPDX specification, Annex D: `MIT`, `(MIT OR Apache-2.0)`. */
export function isLicenseExpression(text: string): boolean {
  try {
    parseExpression(text);
    return true;
  } catch {
    return false;
  }
}

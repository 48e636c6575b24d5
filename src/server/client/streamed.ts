/** Dates travel as ISO 8601 strings. */
export type Streamed<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Streamed<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Streamed<T[Key]> }
      : T;

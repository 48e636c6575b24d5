/** The port behind which instances run. One operation is one call to the outside. */
export interface Fleet {
  readonly kind: 'docker';
}

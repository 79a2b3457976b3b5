/** A path that can't be used inside a tree; the caller adds the user's name for it. */
export class PathRefusal extends Error {
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(`${path}: ${reason}`)
    this.name = 'PathRefusal'
  }
}

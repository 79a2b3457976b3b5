/** A path that can't be used inside a tree; whoever asked knows what to call it towards the user. */
export class PathRefusal extends Error {
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(`${path}: ${reason}`)
    this.name = 'PathRefusal'
  }
}

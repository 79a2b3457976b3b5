type SnapshotKind = 'manual' | 'automatic' | 'replaced' | 'initial' | 'cloned'

/** What a snapshot is, for the person who looks at a list of them. */
export function describeSnapshotKind(kind: SnapshotKind): string {
  switch (kind) {
    case 'manual':
      return 'made by hand'
    case 'automatic':
      return 'before a start or an install'
    case 'replaced':
      return 'what going back replaced'
    case 'initial':
      return 'as it was created'
    case 'cloned':
      return 'as it was cloned'
  }
}

/** What became of the state that going back replaced. */
export function describeKept({
  name,
  kept,
  isKeptNew,
}: {
  readonly name: string
  readonly kept: string
  readonly isKeptNew: boolean
}): string {
  return isKeptNew
    ? `The replaced state is kept as snapshot ${kept}: envs restore ${name} ${kept}`
    : `The replaced state is snapshot ${kept}.`
}

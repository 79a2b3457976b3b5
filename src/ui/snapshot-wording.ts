type SnapshotKind = 'manual' | 'automatic' | 'replaced' | 'initial' | 'cloned'

/** What a snapshot is, for the person who looks at a list of them. */
export function describeSnapshotKind(kind: SnapshotKind): string {
  switch (kind) {
    case 'manual':
      return 'made by hand'
    case 'automatic':
      return 'before a start or an install'
    case 'replaced':
      return 'what going back took away'
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
    ? `What was there is kept as snapshot ${kept}: envs restore ${name} ${kept}`
    : `What was there is snapshot ${kept}.`
}

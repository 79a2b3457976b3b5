type Repair = {
  readonly folders: number
  readonly layers: number
  readonly tries: number
  readonly orphans: readonly {readonly name: string; readonly holders: readonly {readonly pid: number}[]}[]
}

/** What `envs doctor --repair` did, a line each; one line where that is nothing. */
export function describeRepair({folders, layers, tries, orphans}: Repair): string[] {
  const done = [
    ...orphans.map(
      ({name, holders}) =>
        `Ended what kept ${name} from starting: process ${holders.map(({pid}) => pid).join(', ')}.`,
    ),
    ...counted(tries, 'throwaway environment', 'that had ended'),
    ...counted(
      folders,
      'folder',
      'that was half made or half removed',
      'that were half made or half removed',
    ),
    ...counted(layers, 'layer', 'of no environment'),
  ]
  return done.length === 0 ? ['There was nothing to repair.'] : done
}

function counted(count: number, noun: string, one: string, many = one): string[] {
  if (count === 0) return []
  return [count === 1 ? `Took away 1 ${noun} ${one}.` : `Took away ${count} ${noun}s ${many}.`]
}

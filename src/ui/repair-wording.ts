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
        `Ended the processes that kept ${name} from starting: ${holders.map(({pid}) => pid).join(', ')}.`,
    ),
    ...counted(tries, 'throwaway environment', 'that had ended'),
    ...counted(folders, 'folder', 'that was incomplete', 'that were incomplete'),
    ...counted(layers, 'layer', 'that no environment uses'),
  ]
  return done.length === 0 ? ['There was nothing to repair.'] : done
}

function counted(count: number, noun: string, one: string, many = one): string[] {
  if (count === 0) return []
  return [count === 1 ? `Removed 1 ${noun} ${one}.` : `Removed ${count} ${noun}s ${many}.`]
}

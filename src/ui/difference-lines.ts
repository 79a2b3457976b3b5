import type {Difference, FileChange, Move, Package, Packages} from './difference.js'

/** One change: the word for it, and what it was done to, not safe to print yet. */
export type Line = {readonly change: string; readonly text: string}

export function packageLines(packages: Packages | null): Line[] {
  if (packages === null) return []
  const {added, removed, upgraded, downgraded} = packages
  const counts = new Map<string, number>()
  for (const {name} of [...added, ...removed, ...upgraded, ...downgraded])
    counts.set(name, (counts.get(name) ?? 0) + 1)
  const moved = (change: string) => (move: Move) => ({
    change,
    text: `${nameOf(move)} ${move.from} -> ${move.to}`,
  })
  const there = (change: string) => (each: Package) => ({
    change,
    text: `${nameOf(each)} ${each.version}${each.state === 'installed' ? '' : ` (${each.state})`}`,
  })
  return [
    ...added.map(there('added')),
    ...removed.map(there('removed')),
    ...upgraded.map(moved('upgraded')),
    ...downgraded.map(moved('downgraded')),
  ]

  /** With the architecture where the name alone would not tell which one. */
  function nameOf({name, architecture}: Package | Move): string {
    return (counts.get(name) ?? 0) > 1 ? `${name}:${architecture}` : name
  }
}

export function fileLine({
  path,
  change,
  kind,
  changed,
  package: name,
  inside,
}: FileChange & {inside?: number}): Line {
  const notes = [
    ...(changed.length === 0 || changed.join() === 'content' ? [] : [changed.join(', ')]),
    ...(name === null ? [] : [`of ${name}`]),
    ...(inside === undefined ? [] : [inside === 1 ? 'with 1 file' : `with ${inside} files`]),
  ]
  const end = kind === 'folder' && !path.endsWith('/') ? '/' : ''
  return {change, text: `${path}${end}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`}
}

export function accountLines({users, groups}: Difference): Line[] {
  return [
    ...users.map(({name, uid, change, changed}) => ({
      change,
      text: `user ${name} (${uid})${describe(changed)}`,
    })),
    ...groups.map(({name, gid, change, changed, members}) => ({
      change,
      text: `group ${name} (${gid})${describe(changed.filter((what) => what !== 'members'))}${members.length === 0 ? '' : `; members ${members.join(', ')}`}`,
    })),
  ]
}

function describe(changed: readonly string[]): string {
  return changed.length === 0 ? '' : `: ${changed.join(', ')}`
}

export function serviceLines({services}: Difference): Line[] {
  return services.map(({name, init, change, startedBy}) => ({
    change,
    text: `${name} (${init}: ${startedBy.join(', ').replaceAll(', runlevel ', ', ')})`,
  }))
}

export function privilegedLines({privileged}: Difference): Line[] {
  return privileged.map(({path, change, mode, uid, gid, capabilities, package: name}) => ({
    change,
    text: [path, mode, `${uid}:${gid}`, ...capabilities, ...(name === null ? [] : [`of ${name}`])].join(' '),
  }))
}

export type User = {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly comment: string
  readonly home: string
  readonly shell: string
  /** As in the file; never shown. */
  readonly password: string | undefined
}

export type Group = {readonly name: string; readonly gid: number; readonly members: readonly string[]}

export type UserChange = Omit<User, 'password' | 'comment'> & {
  readonly change: 'added' | 'removed' | 'changed'
  readonly changed: readonly ('uid' | 'gid' | 'comment' | 'home' | 'shell' | 'password')[]
}

export type GroupChange = Group & {
  readonly change: 'added' | 'removed' | 'changed'
  readonly changed: readonly ('gid' | 'members')[]
}

/**
 * Skips lines that are not in the format of passwd(5); the first line of a name counts, as for getpwnam(3).
 */
export function parseUsers(passwd: string, shadow: string): Map<string, User> {
  const passwords = new Map(fieldsIn(shadow).map(([name, password]) => [name, password]))
  const users = new Map<string, User>()
  for (const fields of fieldsIn(passwd)) {
    const [name = '', , uid = '', gid = '', comment = '', home = '', shell = ''] = fields
    if (fields.length !== 7 || !isAccount(name, uid) || !ID.test(gid) || users.has(name)) continue
    const password = passwords.get(name)
    users.set(name, {name, uid: Number(uid), gid: Number(gid), comment, home, shell, password})
  }
  return users
}

/** As {@link parseUsers}, of group(5). */
export function parseGroups(text: string): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const fields of fieldsIn(text)) {
    const [name = '', , gid = '', members = ''] = fields
    if (fields.length !== 4 || !isAccount(name, gid) || groups.has(name)) continue
    groups.set(name, {name, gid: Number(gid), members: members.split(',').filter((each) => each !== '')})
  }
  return groups
}

const ID = /^\d{1,10}$/

function isAccount(name: string, id: string): boolean {
  return name !== '' && ID.test(id)
}

function fieldsIn(text: string): string[][] {
  return text.split('\n').map((line) => line.split(':'))
}

/** Returns the changes, ordered by name. */
export function compareUsers(
  before: ReadonlyMap<string, User>,
  after: ReadonlyMap<string, User>,
): UserChange[] {
  const keys = ['uid', 'gid', 'comment', 'home', 'shell'] as const
  const differencesOf = (old: User, now: User) => [
    ...keys.filter((key) => old[key] !== now[key]),
    // Without a shadow(5) at one of the points, the password was not set by anybody.
    ...(isOtherPassword(old.password, now.password) ? (['password'] as const) : []),
  ]
  return compareAccounts(before, after, differencesOf).map(
    ({account: {name, uid, gid, home, shell}, ...rest}) => ({name, uid, gid, home, shell, ...rest}),
  )
}

function isOtherPassword(old: string | undefined, now: string | undefined): boolean {
  return old !== undefined && now !== undefined && old !== now
}

/** Returns the changes, ordered by name. */
export function compareGroups(
  before: ReadonlyMap<string, Group>,
  after: ReadonlyMap<string, Group>,
): GroupChange[] {
  return compareAccounts(before, after, (old, now) => [
    ...(old.gid === now.gid ? [] : (['gid'] as const)),
    ...(membersOf(old) === membersOf(now) ? [] : (['members'] as const)),
  ]).map(({account, ...rest}) => ({...account, ...rest}))
}

/** Sorts the members: their order has no meaning. */
function membersOf({members}: Group): string {
  return [...members].sort().join(',')
}

type AccountChange<T, K> = {
  readonly account: T
  readonly change: 'added' | 'removed' | 'changed'
  readonly changed: K[]
}

function compareAccounts<T, K>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  differencesOf: (old: T, now: T) => K[],
): AccountChange<T, K>[] {
  return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((name): AccountChange<T, K>[] => {
    const [old, now] = [before.get(name), after.get(name)]
    if (old === undefined) return now === undefined ? [] : [{account: now, change: 'added', changed: []}]
    if (now === undefined) return [{account: old, change: 'removed', changed: []}]
    const changed = differencesOf(old, now)
    return changed.length === 0 ? [] : [{account: now, change: 'changed', changed}]
  })
}

type Change = 'added' | 'changed' | 'removed'

export type FileChange = {
  readonly path: string
  readonly change: Change
  readonly kind: string
  readonly changed: readonly string[]
  readonly package: string | null
  readonly group: string
}

export type Package = {
  readonly name: string
  readonly architecture: string
  readonly version: string
  readonly state: string
}

export type Move = {
  readonly name: string
  readonly architecture: string
  readonly from: string
  readonly to: string
}

export type Packages = {
  readonly added: readonly Package[]
  readonly removed: readonly Package[]
  readonly upgraded: readonly Move[]
  readonly downgraded: readonly Move[]
}

/** What of a comparison is printed; the rest is for programs. */
export type Difference = {
  readonly name: string
  readonly against: {readonly kind: 'image' | 'snapshot' | 'environment'; readonly name: string}
  readonly packages: Packages | null
  readonly conffiles: readonly FileChange[]
  readonly files: readonly FileChange[]
  readonly users: readonly {
    readonly name: string
    readonly uid: number
    readonly change: Change
    readonly changed: readonly string[]
  }[]
  readonly groups: readonly {
    readonly name: string
    readonly gid: number
    readonly members: readonly string[]
    readonly change: Change
    readonly changed: readonly string[]
  }[]
  readonly services: readonly {
    readonly name: string
    readonly init: string
    readonly change: Change
    readonly startedBy: readonly string[]
  }[]
  readonly privileged: readonly {
    readonly path: string
    readonly change: Change
    readonly mode: string
    readonly uid: number
    readonly gid: number
    readonly capabilities: readonly string[]
    readonly package: string | null
  }[]
  readonly leftOut: readonly {
    readonly group: LeftOutGroup
    readonly files: number
    readonly sizeBytes: number
  }[]
  readonly sizeBytes: number
  readonly unreadable: number
  readonly dropped: number
}

export type LeftOutGroup =
  | 'package'
  | 'packageRecords'
  | 'accounts'
  | 'services'
  | 'alternatives'
  | 'caches'
  | 'logs'
  | 'temporary'
  | 'bytecode'
  | 'envs'

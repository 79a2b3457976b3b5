import type {Host} from '../host/host.js'
import type {PinnedKeys, ScopedKeyring} from '../signature/keyring.js'
import type {ArchiveEvent, ArchiveNotice} from './plan.js'

/** Where archives are, and by what they are judged. */
export type ArchiveContext = Pick<Host, 'environment' | 'which'> & {
  readonly paths: Pick<Host['paths'], 'data' | 'cache' | 'packages'>
  /** The user's own, URLs of folders without a slash at their end; they come before all others. */
  readonly mirrors: {
    readonly debian: string | undefined
    readonly debianSecurity: string | undefined
    readonly ubuntu: string | undefined
  }
  /** Further trusted keys, each for what lies below a URL. */
  readonly keyrings: readonly ScopedKeyring[]
  /** The built-in keys; others in tests. */
  readonly pinnedKeys?: PinnedKeys | undefined
  readonly now: Date
  /** Takes a Release whose time is over, and a mirror without a pocket for security. */
  readonly allowExpired?: boolean | undefined
  readonly allowSha1?: boolean | undefined
  /** Where the host has its APT sources: /etc/apt. */
  readonly aptFolder?: string
  readonly backoffMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((event: ArchiveEvent) => void) | undefined
  readonly onNotice?: ((notice: ArchiveNotice) => void) | undefined
}

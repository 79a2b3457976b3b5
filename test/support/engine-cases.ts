import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {after} from 'node:test'
import {openHost} from '../../src/host/host.js'
import {type Guest, IDENTITIES, sharedGuest, withVariables} from './guest.js'
import {oldBubblewrap} from './old-bubblewrap.js'

/** An environment, and what it is entered with. */
export type EngineCase = {
  /** Begins the name of each test. */
  readonly title: string
  readonly engine: 'bwrap' | 'unshare' | 'proot'
  /** False, or why it can't be had here. */
  readonly skip: string | false
  /** Down when the first test of the case asks for it. */
  play(): Promise<Guest>
}

/** A bwrap that stacks no layers. */
const OLD = 'bwrap 0.8'

const noProot = openHost().which('proot') === undefined ? 'proot is not installed' : false

/** Every engine with each identity that it has; call it once a file, outside of a test. */
export function engineCases(): readonly EngineCase[] {
  const anchored = IDENTITIES.flatMap(({identity, skip}) => {
    const shared = sharedGuest(identity)
    return ([OLD, 'unshare'] as const).map((title) => {
      const engine = title === OLD ? 'bwrap' : title
      const variables = async () => ({
        ENVS_ENGINE: engine,
        ...(title === OLD ? {PATH: `${await oldFolder()}:${process.env['PATH']}`} : {}),
      })
      return {title: `${title}, ${identity}`, engine, skip, play: downFirst(shared, variables)} as const
    })
  })
  const plain = sharedGuest('emulated', {isPlain: true})
  const withProot = async () => ({ENVS_ENGINE: 'proot'})
  return [...anchored, {title: 'proot', engine: 'proot', skip: noProot, play: downFirst(plain, withProot)}]
}

/** Of several cases with one environment, each begins anew. */
function downFirst(
  shared: () => Promise<Guest>,
  variables: () => Promise<Record<string, string>>,
): () => Promise<Guest> {
  let made: Promise<Guest> | undefined
  const make = async () => {
    const guest = withVariables(await shared(), await variables())
    await guest.cli.run('stop', '--force', 'play')
    return guest
  }
  return () => {
    made ??= make()
    return made
  }
}

let folder: Promise<string> | undefined

function oldFolder(): Promise<string> {
  folder ??= mkdtemp(join(tmpdir(), 'envs-old-bwrap-')).then(oldBubblewrap)
  return folder
}

after(async () => {
  if (folder !== undefined) await rm(await folder, {recursive: true})
})

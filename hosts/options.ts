import {parseArgs} from 'node:util'
import {type HostRelease, RELEASES, sceneNames} from './releases.js'

export type Options = {
  readonly releases: readonly HostRelease[]
  /** Undefined for all. */
  readonly scenes: readonly string[] | undefined
  readonly action: {readonly kind: 'trials' | 'shell'} | {readonly kind: 'script'; readonly file: string}
  /** Whether what was seen becomes what is expected. */
  readonly updatesTable: boolean
  readonly writesDocument: boolean
  /** Whether images of hosts are built though the cache has them. */
  readonly isFresh: boolean
  readonly acceleration: string
  /** Factor of all limits, for a busy machine. */
  readonly patience: number
}

export const USAGE = `usage: npm run hosts -- [${RELEASES.map(({name}) => name).join('] [')}] [FLAG...]

Builds the hosts, boots one after the other in QEMU, tries envs on each, and compares what was seen with
hosts/expected.tsv: status 1 at any difference. All hosts when none is named.

  --scene NAME,NAME    these scenes alone: ${sceneNames().join(', ')}
  --shell              a root shell on the host instead; exit ends it
  --script FILE        runs a bash script there as root instead, and ends with its status
  --update             what was seen replaces what is expected
  --write              write the section "What works where" of docs/doctor.md
  --fresh              build the hosts anew, with the packages of today
  --patience N         all limits N times as long, for a busy machine; 1 when left out
  --acceleration WORD  of QEMU: kvm where that works; tcg,thread=multi when left out
`

/** @throws {Error} With the invalid part of the command line. */
export function parseOptions(argv: readonly string[]): Options {
  const {values, positionals} = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      scene: {type: 'string'},
      shell: {type: 'boolean', default: false},
      script: {type: 'string'},
      update: {type: 'boolean', default: false},
      write: {type: 'boolean', default: false},
      fresh: {type: 'boolean', default: false},
      acceleration: {type: 'string', default: 'tcg,thread=multi'},
      patience: {type: 'string', default: '1'},
    },
  })
  const releases = positionals.length === 0 ? RELEASES : positionals.map(parseRelease)
  const action = chooseAction(values)
  if (action.kind !== 'trials' && (values.update || values.write || values.scene !== undefined))
    throw new Error(`--${action.kind} makes no trials: it goes without --scene, --update and --write.`)
  if (action.kind !== 'trials' && releases.length !== 1) throw new Error(`--${action.kind} needs one host.`)
  return {
    releases,
    scenes: values.scene?.split(',').map(parseScene),
    action,
    updatesTable: values.update,
    writesDocument: values.write,
    isFresh: values.fresh,
    acceleration: values.acceleration,
    patience: parsePatience(values.patience),
  }
}

function chooseAction({shell, script}: {shell: boolean; script?: string}): Options['action'] {
  if (shell && script !== undefined) throw new Error('Either --shell or --script, not both.')
  if (script !== undefined) return {kind: 'script', file: script}
  return {kind: shell ? 'shell' : 'trials'}
}

function parseRelease(word: string): HostRelease {
  const release = RELEASES.find(({name}) => name === word)
  if (release === undefined) throw new Error(`There is no host ${word}.`)
  return release
}

function parseScene(word: string): string {
  if (!sceneNames().includes(word)) throw new Error(`--scene ${word}: there is no such scene.`)
  return word
}

function parsePatience(word: string): number {
  if (!/^[1-9]\d?$/.test(word)) throw new Error(`--patience ${word}: it must be a whole number from 1 to 99.`)
  return Number(word)
}

/** The trials of a host that the options ask for: the line of the plan, and the key of the row. */
export function plannedTrials(
  {name, plan}: HostRelease,
  {scenes}: Pick<Options, 'scenes'>,
): {readonly line: string; readonly key: string}[] {
  return plan
    .filter((line) => scenes?.includes(line.split(' ')[0] ?? '') ?? true)
    .map((line) => ({line, key: `${name} ${line}`}))
}

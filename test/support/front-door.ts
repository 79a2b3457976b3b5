import {FRONT_DOOR, NODE_PROGRAM, type Ran, type RunOptions, runCli} from './cli.js'
import type {Guest} from './guest.js'

/** A PATH in which there is no Node, so that what works did without it. */
export const WITHOUT_NODE = {PATH: '/nowhere'} as const

/** The same environment, its `envs` being the one that goes without Node where it can. */
export function byFrontDoor(guest: Guest): Guest {
  return startedBy(guest, [FRONT_DOOR])
}

/** The same environment, its `envs` being what the front door starts where it needs Node. */
export function byNode(guest: Guest): Guest {
  return startedBy(guest, [process.execPath, NODE_PROGRAM])
}

function startedBy(guest: Guest, words: readonly [string, ...string[]]): Guest {
  const {env, home} = guest.cli
  const envs = (options: RunOptions, ...argv: string[]): Promise<Ran> =>
    runCli([...words, ...argv], {env, home, options})
  const runWith: Guest['runWith'] = ({flags = [], ...options}, ...command) =>
    envs(options, 'run', ...flags, 'play', '--', ...command)
  return {
    ...guest,
    cli: {...guest.cli, words, run: (...argv) => envs({}, ...argv), runWith: envs},
    run: (...command) => runWith({}, ...command),
    sh: (script) => runWith({}, 'sh', '-c', script),
    runWith,
  }
}

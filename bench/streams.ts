import {join} from 'node:path'
import type {Bench, Invocation} from './invocation.js'
import type {Contender, Group} from './measure.js'
import type {Product} from './product.js'
import {fixed} from './startup.js'

const WARM = 'streams'
const MEGABYTE = 2 ** 20
/** Lines as a build prints them. */
const LINE = 'x'.repeat(79)

type Streams = {readonly product: Product; readonly bench: Bench; readonly isQuick: boolean}

/**
 * Compares data through a session with the same data outside of an environment: lines to a terminal, bytes
 * through a pipe and to a file.
 *
 * Makes one environment in the product's store; the caller clears it.
 *
 * @returns One group for each, because their times are unrelated.
 */
export async function streamGroups(
  rootfs: string,
  {product, bench, isQuick}: Streams,
): Promise<readonly Group[]> {
  await product.run('create', rootfs, '--name', WARM, '--quiet')
  const front = (...command: string[]) => product.front('run', WARM, '--', ...command)
  const lines = `yes ${LINE} | head -c ${(isQuick ? 4 : 64) * MEGABYTE}`
  const bytes = ['head', '-c', String((isQuick ? 32 : 1024) * MEGABYTE), '/dev/zero']
  const file = join(bench.folder, 'written')
  const intoPipe = 'exec "$@" | cat >/dev/null'
  const intoFile = `exec "$@" >${file}`
  const before = () => product.run('run', WARM, '--', 'true')
  const ours = (name: string, invocation: Invocation): Contender => ({
    name,
    side: 'ours',
    prepare: async () => {
      // It ends a second after its last process.
      await before()
      return invocation
    },
  })
  return [
    {
      title: 'Lines to a terminal',
      compared: `${isQuick ? 4 : 64} MiB of lines, through a second terminal to one that is read at once by script(1).`,
      reference: 'script(1)',
      contenders: [
        fixed('script(1)', 'peer', onTerminal({argv: ['script', '-qefc', lines, '/dev/null']})),
        ours('envs run', onTerminal(front('sh', '-c', lines))),
      ],
      absent: [],
    },
    {
      title: 'Bytes through a pipe',
      compared: `${isQuick ? 32 : 1024} MiB of zeros into a pipe that is read at once.`,
      reference: 'no environment',
      contenders: [
        fixed('no environment', 'peer', through(intoPipe, {argv: bytes})),
        ours('envs run', through(intoPipe, front(...bytes))),
      ],
      absent: [],
    },
    {
      title: 'Bytes to a file',
      compared: `${isQuick ? 32 : 1024} MiB of zeros into a file that is written over.`,
      reference: 'no environment',
      contenders: [
        fixed('no environment', 'peer', through(intoFile, {argv: bytes})),
        ours('envs run', through(intoFile, front(...bytes))),
      ],
      absent: [],
    },
  ]
}

/** On a terminal that script(1) makes and reads. */
function onTerminal({argv, ...rest}: Invocation): Invocation {
  const line = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  return {...rest, argv: ['script', '-qefc', line, '/dev/null']}
}

function through(script: string, {argv, ...rest}: Invocation): Invocation {
  return {...rest, argv: ['sh', '-c', script, 'sh', ...argv]}
}

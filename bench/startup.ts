import type {Invocation} from './invocation.js'
import type {Contender, Group} from './measure.js'
import type {Product} from './product.js'

/** Compares the start of envs with that of Node. */
export function startupGroup(product: Product): Group {
  return {
    title: 'Start-up',
    compared: 'One process that starts, does next to nothing and ends.',
    reference: 'node -e 0',
    contenders: [
      fixed('true (cost of measuring)', 'peer', {argv: ['true']}),
      fixed('node -e 0', 'peer', {argv: [process.execPath, '-e', '0']}),
      fixed('envs --version', 'ours', product.call('--version')),
      fixed('envs list (no environments)', 'ours', product.call('list')),
    ],
    absent: [],
  }
}

/** A contender with the same command line in each run. */
export function fixed(name: string, side: Contender['side'], invocation: Invocation): Contender {
  return {name, side, prepare: () => invocation}
}

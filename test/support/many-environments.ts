import {cpSync, mkdirSync} from 'node:fs'
import {join} from 'node:path'
import {writeHistory} from '../../src/store/history.js'
import {newLayerId} from '../../src/store/layers.js'
import {historyOf} from './store-state.js'

/**
 * Makes environments like one that is there, each with an upper layer of its own, as `envs clone` would: that takes a fifth of a
 * second of a processor each, most of it the start of Node.
 */
export async function copyEnvironment(store: string, name: string, names: readonly string[]): Promise<void> {
  const history = historyOf(store, name)
  for (const each of names) {
    const folder = join(store, 'environments', each)
    cpSync(join(store, 'environments', name), folder, {recursive: true})
    const upper = newLayerId('emulated')
    const [from, to] = [join(store, 'layers', history.upper), join(store, 'layers', upper)]
    // The folder of overlayfs itself is closed.
    for (const part of ['tree', 'work']) mkdirSync(join(to, part), {recursive: true})
    cpSync(join(from, 'tree'), join(to, 'tree'), {recursive: true})
    await writeHistory(join(folder, 'history.json'), {...history, upper})
  }
}

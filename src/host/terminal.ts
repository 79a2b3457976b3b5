import {isatty} from 'node:tty'
import {errnoOf} from '../errors.js'
import {ended, start} from './process.js'

/** Whether standard input, output and error are all a terminal: only then is a session a person's. */
export function isInteractive(): boolean {
  return isatty(0) && isatty(1) && isatty(2)
}

/** How standard input's terminal is set now; undefined where it is none, or stty(1) is missing. */
export async function rememberTerminal(): Promise<{restore(): Promise<void>} | undefined> {
  if (!isatty(0)) return undefined
  const settings = await stty(['-g'])
  return settings === undefined ? undefined : {restore: async () => void (await stty([settings]))}
}

async function stty(words: readonly string[]): Promise<string | undefined> {
  try {
    const child = start(['stty', ...words], {stdio: ['inherit', 'pipe', 'ignore']})
    let text = ''
    child.stdout?.on('data', (piece) => {
      text += String(piece)
    })
    return (await ended(child)).status === 0 ? text.trim() : undefined
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return undefined
  }
}

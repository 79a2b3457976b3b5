import {isatty} from 'node:tty'
import {isErrno} from './errno.js'
import {ended, start} from './process.js'

/** Whether standard input, output and error are all a terminal: only then is a session a person's. */
export function isInteractive(): boolean {
  return isatty(0) && isatty(1) && isatty(2)
}

/** How the terminal is set now that is one of this process's streams; undefined where none is, or stty(1) is missing. */
export async function rememberTerminal(): Promise<{restore(): Promise<void>} | undefined> {
  const fd = [0, 1, 2].find((stream) => isatty(stream))
  if (fd === undefined) return undefined
  const settings = await stty(fd, '-g')
  return settings === undefined ? undefined : {restore: async () => void (await stty(fd, settings))}
}

async function stty(fd: number, word: string): Promise<string | undefined> {
  try {
    const child = start(['stty', word], {stdio: [fd, 'pipe', 'ignore']})
    let text = ''
    child.stdout?.on('data', (piece) => {
      text += String(piece)
    })
    return (await ended(child)).status === 0 ? text.trim() : undefined
  } catch (error) {
    if (!isErrno(error)) throw error
    return undefined
  }
}

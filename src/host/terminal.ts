import {isatty} from 'node:tty'

/** Whether standard input, output and error are all a terminal: only then is a session a person's. */
export function isInteractive(): boolean {
  return isatty(0) && isatty(1) && isatty(2)
}

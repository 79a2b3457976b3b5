import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

const FOLDER = fileURLToPath(new URL('programs', import.meta.url))

/** The file of a program of test/support/programs: bundled by the runner, or as it is where a test is run without. */
export function sourceProgramPath(name: string): string {
  const bundled = process.env['ENVS_TEST_PROGRAMS']
  return bundled === undefined ? join(FOLDER, `${name}.ts`) : join(bundled, `${name}.mjs`)
}

/** The words that start it. */
export function sourceProgram(name: string): string[] {
  const path = sourceProgramPath(name)
  return path.endsWith('.ts') ? [process.execPath, '--import', 'tsx', path] : [process.execPath, path]
}

import {listNames} from './environments/store.js'
import {openCheckedHost} from './host/host.js'
import {writeOutput} from './ui/output.js'

const FIRST_STEPS = `
There is no environment yet. To begin:
  envs try hello -- hello  run the package hello in an environment that is removed at its end
  envs create              create an environment, by default from the release of the host
  envs doctor              see what this host can do
`

/** Says what to type to whoever has no environment yet. */
export async function tellFirstSteps(): Promise<void> {
  const names = await listNames(openCheckedHost().paths)
  if (names.length === 0) writeOutput(FIRST_STEPS)
}

/** A shim, as far as it is told of. */
type Named = {readonly name: string; readonly environment: string}

/** What a user is told whose shims lead to an environment that is not there any more; undefined without such shims. */
export function describeLeftShims(shims: readonly Named[]): string | undefined {
  const environment = shims[0]?.environment
  if (environment === undefined) return undefined
  const names = shims.map(({name}) => name).join(', ')
  return `Shims still lead to ${environment}: ${names}. Remove them: envs shim ${environment} --remove`
}

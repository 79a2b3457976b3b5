/** A URL fit for messages and for storing: user, password and query are where secrets travel. */
export function redactUrl(url: URL): string {
  const shown = new URL(url)
  shown.hash = ''
  if (shown.username !== '') shown.username = '***'
  if (shown.password !== '') shown.password = '***'
  if (shown.search !== '') shown.search = '?***'
  return shown.href
}

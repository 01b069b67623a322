// Follows the alerts of HOST with the token T, and prints of each its record's number, until it is ended.
import { Sluice } from '../../../api/client/index.js'

const { HOST: url, T: token } = process.env
const sluice = new Sluice({ url, token })
console.log('following')
for await (const { data } of sluice.alertStream({ workspace: 'w', lastEventId: 'from the beginning' })) {
  console.log(data.event.n)
}

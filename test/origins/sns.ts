/** SNS: the message has its name in it. */
import { context, httpContract } from './http.ts'

const TOPIC = 'arn:aws:sns:us-east-1:123456789012:orders'

export const contract = httpContract(
  (port) => ({ webhook: context(port), topicArn: TOPIC, region: 'us-east-1' }),
  () => ({}),
  { bodyOf: (n) => JSON.stringify({ Type: 'Notification', MessageId: String(n), TopicArn: TOPIC, Message: 'm' }) },
)

/** Messages of SNS, not signed. */

export const TOPIC = 'arn:aws:sns:us-east-1:123456789012:orders'

export const unsigned = {
  Type: 'Notification',
  MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
  TopicArn: TOPIC,
  Subject: 'ünï',
  Message: '{"a":1}',
  Timestamp: '2012-05-02T00:54:06.655Z',
}
export const confirmation = {
  ...unsigned,
  Type: 'SubscriptionConfirmation',
  Subject: undefined,
  Token: '2336412f37',
  SubscribeURL: 'https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription',
}

/** Every text of the page, in English. A screen has a section. Functions make texts with numbers. */

export const texts = {
  app: {
    name: 'anemonefish',
    skip: 'Skip to the content',
    navigation: 'Screens',
    start: 'Start',
    executions: 'Executions',
    uploads: 'Uploads',
    signOut: 'Sign out',
    loading: 'Loading …',
    notFound: 'There is no such screen',
    notFoundText: 'The address of this page names a screen that does not exist.',
    backToStart: 'Go to the start',
  },
  signIn: {
    title: 'Sign in',
    key: 'API key',
    submit: 'Sign in',
    checking: 'Checking the key …',
  },
  errors: {
    unexpected: 'Something went wrong',
    refused: 'The service refused the request',
    request: (id: string) => `Request ${id}`,
    retry: 'Try again',
    byName: {
      NetworkError: {
        title: 'The service does not answer',
        text: 'Check the connection of this computer, then try again.',
      },
      NotAllowed: { title: 'The key is wrong', text: 'The service does not know this key.' },
    } as Record<string, { title: string; text: string }>,
  },
  results: {
    title: 'Results',
  },
  review: {
    title: 'Review',
  },
};

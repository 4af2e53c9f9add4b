"""The annotators' page: a server that shows the desk to people, and writes down what they say."""

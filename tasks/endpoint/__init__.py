"""The one client of language-model endpoints for all stages: any server that speaks OpenAI's chat protocol."""

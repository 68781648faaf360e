"""Commands about language models: token counts, unembeddings and loss curves."""

"""
The loss of language models against their width
===============================================

How the loss of language models falls with their width, and how certain the answer is.

Run ``python examples/fit_language_models.py`` (seconds). The losses are those of 27 models on 4
data sets (arXiv 2505.10465, Figure 8, digitised); they share C and alpha, and each family has a
floor on each data set. It prints its results and stores nothing.
"""

import superscale as ss


def main():
    data = ss.published.load_reference("fig8_llm_loss")
    fit = ss.scaling_laws.fit_power_law(
        data["m"],
        data["loss_total"],
        groups=data["family"] + "/" + data["dataset"],
        labels=data["model"] + "/" + data["dataset"],
        clusters=data["model"],
    )
    print(fit)

    # The four losses of one model share what is special about it: resample models, not points.
    models = fit.bootstrap(by="clusters", samples=299, seed=0)
    print(models)
    print(fit.test_alpha(1.0, by="clusters"))
    print(fit.influence())
    print(fit.influence(by="clusters"))
    print(fit.compare())

    # What would a model of the Pythia family reach with 16384 dimensions, and where is 2.4 nats?
    print(fit.forecast(16384, "pythia/wikitext", bootstrap=models, n=50304))
    print(fit.width_for(2.4, "pythia/wikitext", bootstrap=models))


if __name__ == "__main__":
    main()
